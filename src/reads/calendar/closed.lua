-- Replies 1 if no entry from before a time can come any more and the stage has committed all that came, else 0.
-- KEYS[1] stream that the stage reads   [2] entries that it has committed
-- ARGV[1] the time in ms   [2] ms that must have passed since   [3] entries to look at: where there are more, the reply is 0

local call = redis.call
local before, rest, left = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) < before + rest then return 0 end

local from, last = '-', string.format('%.0f', before - 1)
while left > 0 do
  local entries = call('XRANGE', KEYS[1], from, last, 'COUNT', '20') -- each may have 1 MB
  for _, entry in ipairs(entries) do
    if not call('ZSCORE', KEYS[2], entry[1]) then return 0 end
    from, left = '(' .. entry[1], left - 1
  end
  if #entries < 20 then return 1 end
end
return 0
