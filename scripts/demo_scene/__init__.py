"""The longer scene of the demo: people walk from one camera to the next, for a minute.

It is composed, because no recording of that kind may be given away: the one walk of the clip
``demo-walk`` (Sports2D, BSD-3-Clause) goes past three cameras, in the colours of six people.

cutting.py   cuts the walk out of its clip
colours.py   gives it other clothes
scene.py     who walks where, and the videos of the cameras
"""
