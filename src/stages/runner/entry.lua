-- Included by scripts that read entries of a stage's stream, by the rules of entry.ts.

-- Returns the orders that an entry states, whether they are counted, the only group that must process them (nil if all must),
-- and the text of its records. @param readers group -> true, for each group of the stream
local function decode_entry(fields, readers)
  local first = {} -- the first field of a name counts
  for i = 1, #fields, 2 do
    local name = fields[i]
    if not first[name] then first[name] = fields[i + 1] end
  end
  local stated = first.n and #first.n <= 9 and first.n:match('^[1-9]%d*$')
  return tonumber(stated or 1), first.c ~= nil, readers[first.g] and first.g, first.r
end

-- Returns the orders that an entry holds for a group. None if they are for another group. None if they are not counted:
-- another client wrote them, and they are counted when they are committed.
local function orders_for(group, fields, readers)
  local orders, is_counted, only = decode_entry(fields, readers)
  if not is_counted or only and only ~= group then return 0 end
  return orders
end
