/**
 * Formats a number with a comma at each thousand. `toLocaleString` would do the same, but its first call loads the tables
 * of all languages: 25 ms, a tenth of what `orders status` takes.
 */
export function countText(value: number | bigint): string {
  const [whole = '', ...fraction] = String(value).split('.')
  return [whole.replace(/\B(?=(\d{3})+$)/g, ','), ...fraction].join('.')
}
