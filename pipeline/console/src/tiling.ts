/** How many columns show tiles of equal shape largest. */

const LEAST_WIDTH = 250;

export interface Tiling {
  columns: number;
  /** The width of a tile in pixels; its picture has this divided by the ratio as height. */
  width: number;
}

/**
 * The tiling of `count` pictures of `ratio` (width / height), each with a caption of `caption`
 * pixels, within `width` by `height` pixels with gaps. Where tiles would be too small it scrolls.
 */
export function tilingOf(
  count: number,
  width: number,
  height: number,
  ratio: number,
  caption: number,
  gap: number,
): Tiling {
  let best: Tiling = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = (width - gap * (columns - 1)) / columns;
    const down = ((height - gap * (rows - 1)) / rows - caption) * ratio;
    const size = Math.floor(Math.min(across, down));
    if (size > best.width) best = { columns, width: size };
  }
  const least = Math.min(LEAST_WIDTH * Math.min(ratio, 1), width);
  if (best.width >= least) return best;
  const columns = Math.max(Math.floor((width + gap) / (LEAST_WIDTH + gap)), 1);
  return { columns, width: Math.floor((width - gap * (columns - 1)) / columns) };
}
