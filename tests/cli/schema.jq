# The part of JSON Schema that templates/schema uses. `complaints($schema)` yields one line
# for each place of the input that does not fit; a keyword that is not known here is a
# complaint too, so that no rule is silently ignored.

def kind:
  if type == "number" then (if . == floor then "integer" else "number" end) else type end;

def known:
  ["$schema", "title", "description", "type", "required", "additionalProperties",
   "properties", "items", "enum", "const", "pattern", "minimum", "minLength"];

def complaints($schema; $at):
  . as $value
  | (($schema | keys) - known | .[] | "\($at): the schema uses '\(.)'"),
    (if $schema | has("type") then
       ([$schema.type] | flatten) as $types
       | select($types | index($value | kind) | not)
       | "\($at): is \($value | kind), not \($types | join(" or "))"
     else empty end),
    (if $schema | has("const") then
       select($value != $schema.const) | "\($at): is not \($schema.const)"
     else empty end),
    (if $schema | has("enum") then
       select($schema.enum | index([$value]) | not) | "\($at): is none of \($schema.enum)"
     else empty end),
    (if ($schema | has("pattern")) and ($value | type) == "string" then
       select($value | test($schema.pattern) | not) | "\($at): '\($value)' is not like \($schema.pattern)"
     else empty end),
    (if ($schema | has("minimum")) and ($value | type) == "number" then
       select($value < $schema.minimum) | "\($at): is less than \($schema.minimum)"
     else empty end),
    (if ($schema | has("minLength")) and ($value | type) == "string" then
       select(($value | length) < $schema.minLength) | "\($at): is too short"
     else empty end),
    (if ($value | type) == "object" then
       (($schema.required // [])[] | select(. as $key | $value | has($key) | not) | "\($at).\(.): is missing"),
       ($value | keys[] as $key
        | if ($schema.properties // {}) | has($key) then
            .[$key] | complaints($schema.properties[$key]; "\($at).\($key)")
          elif $schema.additionalProperties == false then "\($at).\($key): is not in the schema"
          else empty end)
     else empty end),
    (if ($value | type) == "array" and ($schema | has("items")) then
       range($value | length) as $i | $value[$i] | complaints($schema.items; "\($at)[\($i)]")
     else empty end);

def complaints($schema): complaints($schema; "");
