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

export interface ReviewEvent {
  id: string;
  kind: 'enter' | 'leave' | 'dwell' | 'line' | 'new person' | 'camera lost' | 'camera back';
  at: number;
  camera_id: string | null;
  global_id: number | null;
  place: string | null;
  text: string;
  reviewed: boolean;
  by: string | null;
  reviewed_at: number | null;
  /** The address of the best picture of the person in that stay. */
  picture: string | null;
  /** That of the frame of the moment, where a video is kept. */
  frame: string | null;
}

export interface Place {
  name: string;
  camera: string | null;
  points: Point[];
}

export interface GroundMap {
  plan: { url: string; width: number; height: number; to_ground: number[][] } | null;
  bounds: { left: number; low: number; right: number; high: number } | null;
  /** `at` is where the camera is, or the ground at the lower edge of its picture. */
  cameras: { camera_id: string; field: Point[]; at: Point | null }[];
  zones: Place[];
  lines: Place[];
}

/** Moment, x and y of each position. */
export interface Trail {
  global_id: number;
  points: [number, number, number][];
}

export interface Trails {
  until: number | null;
  people: Trail[];
}

export interface Heat {
  cell_m: number;
  left: number | null;
  low: number | null;
  seconds: number[][];
}

export interface System {
  version: string;
  live: boolean;
  redis: {
    fault: string;
    parts: string[];
    streams: { stream: string; length: number; pending: number }[];
    dead: number | null;
    memory: number | null;
  } | null;
  storage: {
    name: string;
    stored: { kind: string; bytes: number; files: number }[];
    free: number;
    total: number;
  } | null;
}

export interface GridLine {
  text: string;
  points: Point[];
}

export interface Calibration {
  camera_id: string;
  width: number;
  height: number;
  homography: number[][] | null;
  grid: GridLine[];
  file: string | null;
  seen: string | null;
}

export interface Fit {
  homography: number[][];
  error_px: number[];
  error_m: number[];
  grid: GridLine[];
}
