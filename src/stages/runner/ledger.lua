-- Included by commit.lua: the ledger of admitted orders and rejected messages, whose records ledger.ts makes. Record i (from 1)
-- has its field and value at 2i - 1 and 2i of `lines`, and its buckets, of this generation and of the last one, at 2i + 5
-- and 2i + 6 of KEYS.

-- Finds the records that are new. Returns { record = true }, and the number of the others; then the reply that refuses them,
-- if Redis' clock is in another generation or the ledger differs from what the plan expects.
local function check_ledger(ledger, seconds)
  local fresh, duplicates = {}, 0
  if not ledger then return fresh, duplicates end
  local generation = math.floor(seconds / ledger.seconds)
  if generation ~= ledger.generation then return fresh, duplicates, { 'generation', generation } end
  local lines, changes, next_change = ledger.lines, ledger.changes, 1
  local differs, seen = { 'differs' }, {} -- seen: field -> its value once the records before are committed
  local function held(current, previous, field) return redis.call('HGET', current, field) or redis.call('HGET', previous, field) end
  local function report(line, value)
    differs[#differs + 1] = line
    differs[#differs + 1] = value or ''
  end
  for at = 1, #lines, 2 do
    local i, field, value = (at + 1) / 2, lines[at], lines[at + 1]
    local recorded = seen[field] or held(KEYS[6 + at], KEYS[7 + at], field)
    if not recorded then
      seen[field] = value
      fresh[i] = true
    elseif recorded == value then
      duplicates = duplicates + 1
    else
      report(i - 1, recorded)
    end
    local change = changes[next_change]
    if change and change[1] == i then
      local _, current, previous, order, expected, after = unpack(change)
      if recorded == value then report(i - 1, recorded) end -- known, so it changes nothing
      if (seen[order] or held(KEYS[current], KEYS[previous], order)) == expected then
        seen[order] = after
      else
        if not recorded then report(i - 1) end
        report(#lines / 2 + next_change - 1, held(KEYS[current], KEYS[previous], order)) -- without what this plan would change
      end
      next_change = next_change + 1
    end
  end
  for i, expect in ipairs(ledger.expects) do -- before this commit
    local recorded = held(KEYS[expect[1]], KEYS[expect[2]], expect[3]) or ''
    if recorded ~= expect[4] then report(#lines / 2 + #changes + i - 1, recorded) end
  end
  return fresh, duplicates, #differs > 1 and differs or nil
end

-- Writes the new records and the changes, and counts the records in their generation.
local function record_in_ledger(ledger, fresh, duplicates)
  if not ledger then return end
  local lines, generation = ledger.lines, string.format('%.0f', ledger.generation)
  local expires = string.format('%.0f', (ledger.generation + 2) * ledger.seconds) -- rounded
  local by = #lines / 2 - duplicates
  local function write(bucket, field, value)
    local added = redis.call('HSET', bucket, field, value)
    if redis.call('HLEN', bucket) == 1 then redis.call('EXPIREAT', bucket, expires) end
    return added
  end
  for at = 1, #lines, 2 do
    if fresh[(at + 1) / 2] then write(KEYS[6 + at], lines[at], lines[at + 1]) end
  end
  -- An order that is corrected is remembered for longer: where its record is of the last generation, it gets one of this.
  for _, change in ipairs(ledger.changes) do by = by + write(KEYS[change[2]], change[4], change[6]) end
  local counts = KEYS[ledger.count]
  if by > 0 and redis.call('HINCRBY', counts, generation, by) == by then -- the first of this generation: remove an old one
    local old = string.format('%.0f', ledger.generation - 4) -- not a newer one: a clock that jumped may jump back
    redis.call('HDEL', counts, old)
  end
end
