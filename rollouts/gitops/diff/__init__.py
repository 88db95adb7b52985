"""What differs between the objects of a commit and the live ones. Pure: no API call, no schema needed.

Only fields that the commit names count, as in a server-side apply: what others add is never drift. A field
that a commit no longer names is noticed by the shape that the last apply left on the object.
"""
