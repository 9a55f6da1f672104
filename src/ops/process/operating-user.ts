import { userInfo } from 'node:os'

/** Returns the name of the operating system's user. In a container a user may have a number and no name. */
export function operatingUser(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.()}`
  }
}
