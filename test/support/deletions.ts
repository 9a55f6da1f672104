import type { Redis } from 'ioredis'

/** Delete, as an operator may, what a stage has not committed. */
export type Deletion = 'DEL' | 'XTRIM' | 'XDEL of waiting entries' | 'XDEL of pending entries'

/** In one step, so that what it replies is what was deleted uncommitted, also while the stage runs. */
const script = `
local function call(...) return redis.call(...) end
local stream, group, how, most = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
if call('EXISTS', stream) == 0 then return {} end
local delivered
for _, fields in ipairs(call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
  if info.name == group then delivered = info['last-delivered-id'] end
end
local gone = {}
local function lose(entry, delete)
  if not entry then return end
  -- A group that was created again delivers again what its stage has committed already.
  if not call('ZSCORE', KEYS[2], entry[1]) then gone[#gone + 1] = entry[2] end
  if delete then call('XDEL', stream, entry[1]) end
end
local all = how == 'DEL' or how == 'XTRIM'
if delivered and (all or how == 'XDEL of pending entries') then
  for _, pending in ipairs(call('XPENDING', stream, group, '-', '+', all and 100000 or most)) do
    lose(call('XRANGE', stream, pending[1], pending[1])[1], not all)
  end
end
if how == 'XDEL of pending entries' then return gone end
local waiting = call('XRANGE', stream, delivered and '(' .. delivered or '-', '+', 'COUNT', how == 'DEL' and 100000 or most + 1)
for at, entry in ipairs(waiting) do
  if how == 'DEL' or at <= most then lose(entry, not all) end
end
if how == 'DEL' then call('DEL', stream) end
if how == 'XTRIM' and waiting[most + 1] then call('XTRIM', stream, 'MINID', waiting[most + 1][1]) end
if how == 'XTRIM' and not waiting[most + 1] then call('XTRIM', stream, 'MAXLEN', '0') end
return gone`

/**
 * Deletes entries that a stage has not committed.
 * @param most entries, where it is not all of them
 * @returns their records
 */
export async function deleteUnread<R>(
  redis: Redis,
  { stream, group, most = 50 }: { stream: string; group: string; most?: number },
  how: Deletion,
): Promise<R[]> {
  const gone = (await redis.eval(script, 2, stream, `pipeline:committed:${group}`, group, how, most)) as string[][]
  return gone.flatMap((fields) => JSON.parse(fields[fields.indexOf('r') + 1] ?? '[]') as R[])
}
