/** A colour for each global id: the same as in `pipeline/pictures/colours.py`. */

const GOLDEN_ANGLE_DEG = 137.50776;
const GREY = [110, 110, 110] as const;
const LIGHTNESS = 0.52;
const CHROMA = 0.17;

type Rgb = readonly [number, number, number];

/** The colour of a person as `#rrggbb`; grey for null, a track without an identity. */
export function colourOf(globalId: number | null): string {
  const known = globalId === null ? undefined : cache.get(globalId);
  if (known !== undefined) return known;
  const text = '#' + rgbOf(globalId).map((part) => part.toString(16).padStart(2, '0')).join('');
  if (globalId !== null) cache.set(globalId, text);
  return text;
}

const cache = new Map<number, string>();

function rgbOf(globalId: number | null): Rgb {
  if (globalId === null) return GREY;
  const hue = (globalId * GOLDEN_ANGLE_DEG * Math.PI) / 180;
  return oklabToRgb(LIGHTNESS, CHROMA * Math.cos(hue), CHROMA * Math.sin(hue));
}

function oklabToRgb(lightness: number, a: number, b: number): Rgb {
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    toByte(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
    toByte(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
    toByte(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short),
  ];
}

function toByte(linear: number): number {
  const clipped = Math.min(Math.max(linear, 0), 1);
  const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(255 * encoded);
}
