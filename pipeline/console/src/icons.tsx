/** Line icons of 24 by 24, drawn for this page. */

const PATHS = {
  wall: 'M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6M16 4.5a3.3 3.3 0 0 1 0 6.3M17.5 14.3c2.3.8 3.7 2.7 4 5.7',
  map: 'M9 4 3 6.5v13.5l6-2.5 6 2.5 6-2.5V4l-6 2.5zM9 4v13.5M15 6.5V20',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 21 21',
  review: 'M4 5h16M4 12h9M4 19h9M16 15.5l2.5 2.5 4-5',
  system: 'M3 12h4l2.5-7 5 14 2.5-7h4',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5v5M8 14.5v5',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M18 10h.01M7.5 14h9',
  logout: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  up: 'M5 15l7-7 7 7',
  down: 'M5 9l7 7 7-7',
  more: 'M12 5v14M5 12h14',
  less: 'M5 12h14',
  expand: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  edit: 'M4 20l1-4L16.5 4.5l3 3L8 19zM14.5 6.5l3 3',
  undo: 'M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3',
  merge: 'M6 4v4c0 4 6 4 6 8v4M18 4v4c0 4-6 4-6 8',
  split: 'M12 4v4c0 4-6 4-6 8v4M12 8c0 4 6 4 6 8v4',
  move: 'M4 12h15M14 7l5 5-5 5',
  follow: 'M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 12s3.5-6.5 10-6.5S22 12 22 12s-3.5 6.5-10 6.5S2 12 2 12z',
  warning: 'M12 3.5 22 20H2zM12 10v4.5M12 17.3v.01',
  picture: 'M3 5h18v14H3zM3 16l5-5 4.5 4.5 2.5-2.5 6 5.5M15.5 9.5h.01',
  check: 'M4 12.5 9.5 18 20 6.5',
} as const;

export type IconName = keyof typeof PATHS;

/** An icon of the size of the text; what it means stands beside it, or in the label of its button. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
