import { roleNames } from '../../src/ops/process/roles.ts'

/** The roles that every deployment has. The archive is one more where ARCHIVE_URL is set. */
export const deployedRoles = roleNames.filter((role) => role !== 'archive')
