"""The plugins that a Corefile can name, each in a file of its own, in the order in which CoreDNS has them."""
