import { blocksOf, examplesOf } from '../pages/blocks.ts'

/** The lines of docs/how-to/compose.md, which compose.test.ts follows from the first to the last. */
export const ofCompose = examplesOf(blocksOf('docs/how-to/compose.md'))

/** The lines of docs/how-to/change-partitions.md: the move, a start with the new number, and a comparison. */
export const changePartitions = [
  'docker compose run --rm api repartition --to 8',
  'docker compose up --detach --wait',
  'docker compose run --rm api verify --deep',
] as const

/** Lines that stand in sentences or on other pages, with the word that a reader fills in. */
export const others: Readonly<Record<string, string>> = {
  'docker compose build': 'docker compose build',
  'docker compose logs <service>': 'docker compose logs validate',
  'docker build -t <your registry>/orders:<version> .': 'docker build -t registry.example/orders:1 .',
}

/** Lines of docs/how-to/on-your-platform.md and docs/scaling.md for containers that run. */
export const onRunning = [
  'docker compose up --detach --scale validate=2',
  'docker compose restart validate',
  'docker compose logs --tail=1 validate',
  'docker compose stop bridge validate calendar aggregate leaderboard jobs api',
]

export const deepCheck = 'docker compose run --rm api verify --deep'
export const restart = 'docker compose up --detach --wait'
export const lastOfAll = 'docker compose down --volumes'

/** Every line for docker that the tests run, as the pages have it. */
export const dockerLines: readonly string[] = [
  ...ofCompose.map(({ line }) => line).filter((line) => line.startsWith('docker ')),
  ...changePartitions,
  ...Object.keys(others),
  ...onRunning,
  ...[deepCheck, restart, lastOfAll],
]
