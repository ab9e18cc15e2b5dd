"""Self-contained pages: elements, charts that answer to pointer and keyboard, one look for all.

A page is one file without a reference to another: style and script are inside, nothing is loaded.
"""
