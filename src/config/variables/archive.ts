import { readArchiveUrl } from '../archive-url.ts'
import { count, define, integer, text } from '../variable.ts'

export const archiveVariables = {
  archiveUrl: define({
    name: 'ARCHIVE_URL',
    unit: 'URL',
    expected: 's3://bucket/prefix or file:///folder',
    unset: 'no archive',
    about: 'Where the stage `archive` keeps every admitted order and correction. All processes must have the same.',
    schema: text.refine((url) => readArchiveUrl(url) !== undefined).optional(),
  }),
  archiveSegmentMb: count(
    'ARCHIVE_SEGMENT_MB',
    16,
    256,
    'Compressed size at which a segment of the archive is cut. Each partition holds so much in memory.',
    'MB',
  ),
  archiveSegmentSeconds: count(
    'ARCHIVE_SEGMENT_SECONDS',
    60,
    240, // alerts on a stage that stands still come after five minutes
    'Age at which a segment of the archive is cut. Its orders wait in Redis until then.',
    's',
  ),
  archiveDays: define({
    name: 'ARCHIVE_DAYS',
    unit: 'days',
    expected: 'a whole number from 1 to 36500',
    unset: 'for ever',
    about: 'How long segments are kept after their last order. Later the role `jobs` removes them.',
    schema: integer(1, 36_500).optional(),
  }),
}
