/** Maps of the plane as 3 by 3 matrices, row by row. */

import type { Point } from './types';

export type Matrix = readonly (readonly number[])[];

export function applied(matrix: Matrix, [x, y]: Point): Point {
  const row = (number: number) => {
    const [a = 0, b = 0, c = 0] = matrix[number] ?? [];
    return a * x + b * y + c;
  };
  return [row(0) / row(2), row(1) / row(2)];
}

/** The inverse up to a factor, which a map of the plane does not need. */
export function inverse(matrix: Matrix): Matrix {
  const at = (row: number, column: number) => matrix[row % 3]?.[column % 3] ?? 0;
  const cofactor = (row: number, column: number) =>
    at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  return [0, 1, 2].map((row) => [0, 1, 2].map((column) => cofactor(column, row)));
}

/** `x,y x,y`, for a polygon or line of SVG. */
export function pointsText(points: readonly Point[]): string {
  return points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(' ');
}

/** Where in the units of its `viewBox` an SVG was clicked. */
export function clicked(svg: SVGSVGElement, event: MouseEvent): Point {
  const matrix = svg.getScreenCTM();
  if (!matrix) return [0, 0];
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  return [point.x, point.y];
}
