-- Removes from a stream what every one of its groups has acknowledged.
-- KEYS[1] stream. Replies the number of entries removed.
--
-- A group has finished everything below its oldest pending entry or, with none pending, up to its last delivered one.

local function before(a, b) -- ids are <ms>-<sequence>, both below 2^53 in practice
  local a_ms, a_seq = a:match('(%d+)-(%d+)')
  local b_ms, b_seq = b:match('(%d+)-(%d+)')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_seq) < tonumber(b_seq)
end

local keep_from
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
  local oldest = redis.call('XPENDING', KEYS[1], info.name)[2]
  if not oldest then
    oldest = info['last-delivered-id']
    local ms, seq = oldest:match('(%d+)-(%d+)')
    -- A sequence that no clock makes is left alone: one entry stays.
    if #seq < 15 then oldest = ms .. '-' .. string.format('%.0f', tonumber(seq) + 1) end
  end
  if not keep_from or before(oldest, keep_from) then keep_from = oldest end
end
if not keep_from then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', keep_from)
