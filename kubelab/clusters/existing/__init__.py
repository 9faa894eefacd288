"""A cluster that was there before, and that is not kubelab's: one namespace of it, with namespaced rights.

What is promised here stands on three legs. The lab reaches the API through `kubelab.lab.guest`, which changes and
deletes nothing without kubelab's label, and calls the namespace as the lesson does. What the cluster lacks is found
by asking it (``SelfSubjectAccessReview``) and by looking, never by its name. And a context that looks like production,
or a namespace where others' workloads are, is refused until somebody says that it is meant.
"""
