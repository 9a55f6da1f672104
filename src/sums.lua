-- Included: says which texts can be added to. HINCRBY refuses 007 and -0, and a script that finds that out late has written half.

local function is_integer(text) return text == '0' or text:find('^%-?[1-9]%d*$') ~= nil end
