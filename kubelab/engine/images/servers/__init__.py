"""Stand-ins for the web servers that tutorials deploy: one small HTTP server, and what each of them answers.

They answer what the real ones do where a learner looks (paths, status codes, logs, ports, options), and say in their
``Server`` header, their pages or their logs that they are kubelab's. Whoever looks closer runs the real ones on kind.
"""
