"""Programs and manifests that several lessons use: the server that says who it is, and pods that run it."""
