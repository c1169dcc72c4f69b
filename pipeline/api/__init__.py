"""The live API of a site over HTTP; only this package imports FastAPI and uvicorn.

It reads the streams passively: a slow or missing API does not affect the rest of the system.
"""
