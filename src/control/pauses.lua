-- Pauses or resumes a component and writes that to the audit log, in one step. Changes nothing if it is already paused by the same
-- operator, or already runs.
-- KEYS[1] pipeline:pauses   [2] pipeline:audit
-- ARGV[1] the component   [2] its pause (JSON), '' to resume it   [3] who   [4..] fields of the audit entry
-- Replies 1 if anything changed or 0, the pause before (JSON, or ''), the id of the audit entry, and why it could not be written
-- ('' if it was).

local component, pause, who = ARGV[1], ARGV[2], ARGV[3]
local before = redis.call('HGET', KEYS[1], component)

local function paused_by(text)
  local read, value = pcall(cjson.decode, text)
  return read and type(value) == 'table' and value.by
end

local unchanged = not before
if pause ~= '' then unchanged = before and paused_by(before) == who end
if unchanged then return { 0, before or '', '', '' } end

-- HDEL first: a full Redis accepts it, and then the rest of the script. Operators must be able to pause even then.
redis.call('HDEL', KEYS[1], component)
if pause ~= '' then redis.call('HSET', KEYS[1], component, pause) end
local written = redis.pcall('XADD', KEYS[2], '*', unpack(ARGV, 4))
if type(written) == 'table' then return { 1, before or '', '', written.err } end
return { 1, before or '', written, '' }
