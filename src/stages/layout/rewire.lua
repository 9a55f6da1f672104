-- Records the layout of each stage, and replaces a pipeline of another layout once no order waits where it changes.
-- KEYS[1] counters   [2] hash: stage -> its layout: the channel that it reads, and the fields of the order that it passes on
-- KEYS[3] hash: stage -> the first entry that it was given (see missed-before.ts)
--   KEYS[4..] streams and sets that ARGV refers to by number
-- ARGV[1] a JSON object:
--   before   { stage: layout } as the caller read it from the hash
--   after    { stage: layout }
--   empty    [[key number, stage]]: streams that must be empty, each with the stage that its entries wait for
--   leave    [[number of a stream, group, number of the entries that the group's stage has committed]]
--   stop     [[number of a stream, group]] of the stages that change: no other process may run them
--   dead_ms  ms of silence after which a consumer is dead
--   books    [{ stage, ins, outs, passed, missed }] of the stages that are new or now read another channel, in order
--
-- Replies {} once done, { 'again' } if the hash has changed, { 'running', stage } if another process still runs a stage that
-- changes, { 'waiting', stage } if a stream is not empty. The last three change nothing.
--
-- Orders that passed before a stage was added count as passed by it, so that the books of the next stage balance too.

local call, plan = redis.call, cjson.decode(ARGV[1])
local function counter(name) return tonumber(call('HGET', KEYS[1], name) or '0') or 0 end
local function sum(names)
  local total = 0
  for _, name in ipairs(names) do total = total + counter(name) end
  return total
end

local flat, fields = call('HGETALL', KEYS[2]), 0
for i = 1, #flat, 2 do
  if plan.before[flat[i]] ~= flat[i + 1] then return { 'again' } end
  fields = fields + 1
end
for _ in pairs(plan.before) do fields = fields - 1 end
if fields ~= 0 then return { 'again' } end

local function has_live_consumer(stream, wanted)
  if call('EXISTS', stream) == 0 then return false end
  for _, group in ipairs(call('XINFO', 'GROUPS', stream)) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == wanted then
        for _, consumer in ipairs(call('XINFO', 'CONSUMERS', stream, wanted)) do
          for at = 1, #consumer, 2 do
            if consumer[at] == 'idle' and consumer[at + 1] < plan.dead_ms then return true end
          end
        end
      end
    end
  end
  return false
end

for _, former in ipairs(plan.stop) do
  if has_live_consumer(KEYS[former[1]], former[2]) then return { 'running', former[2] } end
end
for _, stream in ipairs(plan.empty) do
  if call('XLEN', KEYS[stream[1]]) > 0 then return { 'waiting', stream[2] } end
end
call('HLEN', KEYS[1])
call('HLEN', KEYS[3])
call('DEL', KEYS[2])
for stage, channel in pairs(plan.after) do call('HSET', KEYS[2], stage, channel) end
for _, left in ipairs(plan.leave) do
  if call('EXISTS', KEYS[left[1]]) == 1 then call('XGROUP', 'DESTROY', KEYS[left[1]], left[2]) end
  call('DEL', KEYS[left[3]])
end
for _, book in ipairs(plan.books) do
  local open = sum(book.ins) - sum(book.outs)
  if open ~= 0 then
    local name = call('HEXISTS', KEYS[1], book.passed) == 1 and book.missed or book.passed
    if name == book.missed then call('HDEL', KEYS[3], book.stage) end -- they passed at a time that is not known
    call('HINCRBY', KEYS[1], name, string.format('%.0f', open))
  end
end
return {}
