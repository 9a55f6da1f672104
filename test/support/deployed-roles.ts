import { roleNames } from '../../src/ops/process/roles.ts'

/** The role that a deployment has where ARCHIVE_URL is set. */
export const archiveRole = 'archive'
/** The roles that every deployment has. */
export const deployedRoles = roleNames.filter((role) => role !== archiveRole)
