/** The docker commands of docs/how-to/change-partitions.md: the move, a start with the new number, and a comparison. */
export const changePartitions = [
  'docker compose run --rm api repartition --to 8',
  'docker compose up --detach --wait',
  'docker compose run --rm api verify --deep',
] as const
