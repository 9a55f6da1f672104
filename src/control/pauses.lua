-- Pauses a part or lets it run again, and writes that into the audit, in one step. Nothing changes where it is so already:
-- paused by the same person, or running.
-- KEYS[1] pipeline:steering   [2] pipeline:audit
-- ARGV[1] the part   [2] its pause (JSON), '' to let it run   [3] who   [4..] names and values of the audit's entry
-- Replies whether anything changed (1 or 0), the pause before (JSON, or ''), the id of the audit's entry, and why that could
-- not be written ('' if it was).

local part, pause, who = ARGV[1], ARGV[2], ARGV[3]
local before = redis.call('HGET', KEYS[1], part)

local function paused_by(text)
  local read, value = pcall(cjson.decode, text)
  return read and type(value) == 'table' and value.by
end

local unchanged = not before
if pause ~= '' then unchanged = before and paused_by(before) == who end
if unchanged then return { 0, before or '', '', '' } end

-- HDEL first: a full Redis takes it, and after it the rest of the script. Who steers must be able to even then.
redis.call('HDEL', KEYS[1], part)
if pause ~= '' then redis.call('HSET', KEYS[1], part, pause) end
local written = redis.pcall('XADD', KEYS[2], '*', unpack(ARGV, 4))
if type(written) == 'table' then return { 1, before or '', '', written.err } end
return { 1, before or '', written, '' }
