"""A trace made to be walked: steps in words, places to draw, a picture and a table that stand without a browser."""
