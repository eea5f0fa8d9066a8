/** A trend without axes: steps under which the area is washed, from 0 to `most`. */

interface Props {
  readonly values: readonly number[];
  readonly most: number;
  /** where something happened, as a share of the width */
  readonly mark?: number | null;
}

const WIDTH = 200;
const HEIGHT = 32;

export function Sparkline({ values, most, mark = null }: Props) {
  const step = WIDTH / Math.max(1, values.length);
  const y = (value: number) => (HEIGHT - 1 - (HEIGHT - 2) * (value / (most || 1))).toFixed(2);
  const line = values
    .map((value, i) => `${i ? "L" : "M"}${(i * step).toFixed(2)} ${y(value)}h${step.toFixed(2)}`)
    .join("");
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {line && <path class="sparkline-area" d={`${line}V${HEIGHT}H0Z`} />}
      {line && <path class="sparkline-line" d={line} />}
      {mark !== null && (
        <path class="sparkline-mark" d={`M${(mark * WIDTH).toFixed(2)} 0V${HEIGHT}`} />
      )}
    </svg>
  );
}
