"""The run directory: a stable, documented schema that stays readable after a kill.

RUN/config.yaml                                the current resolved configuration
RUN/config.N.yaml                              the configuration before its N-th change
RUN/cameras.json                               one entry per camera: size, frames, state
RUN/schema.json                               the version of this schema
RUN/observations/camera_id=ID/part-*.parquet   one row per person and frame
RUN/tracklets/part-*.parquet                   one row per closed track
RUN/identities/part-*.parquet                  event log: the global id of each track
RUN/camera_states.jsonl                       changes of the states of cameras
RUN/reviewed.jsonl                            which events were looked at
RUN/plan.*                                    the floor plan
RUN/thumbnails, RUN/video, RUN/report.html     only on request
"""
