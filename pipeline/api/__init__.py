"""The live API: what happens at a site now, over HTTP; the one home of FastAPI and uvicorn.

It only reads along: without it, or while it is slow, everything else goes on as before.
"""
