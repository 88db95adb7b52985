"""From a tree and an Application's source to manifests.

Plain directories are read here; a source type that this controller cannot render is an error that names it,
never an empty result. Parsed files are kept by the digest of their content, whoever reads them.
"""
