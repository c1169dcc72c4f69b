"""The run directory: a stable, documented schema that stays readable after a kill.

RUN/config.yaml                                the resolved configuration, as it is now
RUN/config.N.yaml                              what it was before its N-th change
RUN/cameras.json                               one entry a camera: size, frames, state
RUN/observations/camera=ID/part-NNNNN.parquet  one row a person a frame
RUN/tracklets/part-NNNNN.parquet               one row a closed track
RUN/identities/part-NNNNN.parquet              the event log: whose each track is
RUN/thumbnails, RUN/video, RUN/report.html     only when asked for
"""
