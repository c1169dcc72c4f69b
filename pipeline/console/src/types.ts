/** Answers of the API, see `pipeline/api/schemas.py`. Times are seconds UTC, boxes xyxy pixels. */

export type CameraState =
  | 'waiting'
  | 'connecting'
  | 'running'
  | 'stalled'
  | 'lost'
  | 'silent'
  | 'complete'
  | 'partial'
  | 'removed';

export interface Me {
  name: string;
  role: 'viewer' | 'editor';
  site: string;
  live: boolean;
  login: boolean;
}

export interface Camera {
  id: string;
  state: CameraState;
  reason: string;
  since: number | null;
  source: string;
  frames: number;
  dropped: number;
  fps: number;
  width: number;
  height: number;
  clock: string;
  start: number | null;
  last_frame: number | null;
  followed_fps: number | null;
  delay_s: number | null;
  overloaded: boolean;
}

export type Box = [number, number, number, number];
export type Point = [number, number];

export interface Person {
  global_id: number;
  camera_id: string;
  track_id: number;
  confidence: number;
  since: number;
  last_seen: number;
  box: Box | null;
  ground: Point | null;
}

export interface Stay {
  camera_id: string;
  track_id: number;
  start: number | null;
  end: number | null;
  confidence: number;
}

export interface Identity {
  global_id: number;
  name?: string | null;
  first_seen: number | null;
  last_seen: number | null;
  stays: Stay[];
}

export interface PathPoint {
  timestamp: number;
  camera_id: string;
  frame_index: number;
  track_id: number;
  confidence: number;
  box: Box;
  ground: Point | null;
}

export interface Thumbnail {
  camera_id: string;
  track_id: number;
  start: number | null;
  end: number | null;
  url: string;
}

export interface Link {
  at: number;
  camera_id: string;
  track_id: number;
  since: number | null;
  confidence: number;
  kind: string;
  reason: string;
  state: string;
  runners_up: { global_id: number; confidence: number }[];
}

export interface Correction {
  number: number;
  kind: string;
  by: string;
  at: number;
  text: string;
  undone_by: number | null;
  global_ids: number[];
  new_id: number | null;
}

export interface Found {
  global_id: number;
  probability: number;
  cameras: string[];
  first_seen: number;
  last_seen: number;
  seen: { camera_id: string; start: number; end: number }[];
}

export interface SearchAnswer {
  verdict: string;
  found: Found[];
  closest: Found[];
  threshold: number;
  tracks: number;
  people: number;
  unknown_words: string[];
  notes: string[];
}
