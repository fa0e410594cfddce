"""What is published of a version, made into one directory by `make release`.

Images come first: their digests are in all that follows. From the packaged chart, which names them,
come the plain manifests and the bundle for OLM, so that every way to install makes the same.
"""
