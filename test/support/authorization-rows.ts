/**
 * Rules, and what they come to for each principal: in words, and not in code that could be wrong in the same way as the
 * gateway's.
 */
import type { JsonObject } from '../../backends/index.js'

export type Who = 'nobody' | 'user' | 'admin' | 'key'
export type Era = 'legacy' | 'modern'
/** The argument `path` of every tool and prompt. */
export const PATH = '/home/x'

export const TOOLS = 'read write drop'
export const PROMPTS = 'greet scold'
const RESOURCES = 'open secret vault'
const ALL = `${TOOLS} ${PROMPTS} ${RESOURCES}`
const forAll = (items: string): Record<Who, string> => ({
  nobody: items,
  user: items,
  admin: items,
  key: items,
})

export interface Row {
  readonly name: string
  readonly rules: readonly JsonObject[]
  /** What is in lists. */
  readonly sees: Record<Who, string>
  /** What can be used, where that is something else: tools and prompts with the argument `path`, which is "/home/x". */
  readonly uses?: Record<Who, string>
  /** What can be used in no way that these methods are. */
  readonly never?: readonly string[]
  /** The only era for which that holds; the other sees and uses nothing. */
  readonly only?: Era
}

const deny = (...rules: string[]): JsonObject[] => rules.map((rule) => ({ deny: rule }))

export const TABLE: readonly Row[] = [
  { name: 'no rules', rules: [], sees: forAll(ALL) },
  { name: 'deny: all', rules: deny('true'), sees: forAll('') },
  {
    name: 'deny: a tool',
    rules: deny('mcp.tool.name == "drop"'),
    sees: forAll(`read write ${PROMPTS} ${RESOURCES}`),
  },
  {
    name: 'deny: an exposed name',
    rules: deny('mcp.tool.exposedName == "t__drop"', 'mcp.prompt.exposedName == "t__scold"'),
    sees: forAll(`read write greet ${RESOURCES}`),
  },
  {
    name: 'deny: a target',
    rules: deny('mcp.resource.target == "t"'),
    sees: forAll(`${TOOLS} ${PROMPTS}`),
  },
  {
    name: 'deny: a prompt, a resource, a template',
    rules: deny(
      'mcp.prompt.name == "scold"',
      'mcp.resource.name == "note://secret" || mcp.resource.name.startsWith("vault:")',
    ),
    sees: forAll(`${TOOLS} greet open`),
  },
  {
    name: 'deny: one that fails for all who have no level',
    rules: deny('jwt.level > 3'),
    sees: { nobody: '', user: ALL, admin: '', key: '' },
  },
  {
    name: 'deny: one that fails for some things',
    rules: deny('jwt.role == "user" && mcp.tool.name != "read"'),
    sees: { ...forAll(`read ${PROMPTS} ${RESOURCES}`), admin: ALL },
  },
  {
    name: 'require: anybody',
    rules: [{ require: 'principal.kind != "anonymous"' }],
    sees: { ...forAll(ALL), nobody: '' },
  },
  {
    name: 'require: a subject',
    rules: [{ require: 'principal.subject == "user"' }],
    sees: { ...forAll(''), user: ALL },
  },
  {
    name: 'require: two things',
    rules: [{ require: 'principal.kind == "jwt"' }, { require: 'jwt.level > 1' }],
    sees: { ...forAll(''), admin: ALL },
  },
  {
    name: 'allow: a claim',
    rules: [{ allow: 'jwt.role == "admin"' }],
    sees: { ...forAll(''), admin: ALL },
  },
  {
    name: 'allow: a claim in a list',
    rules: [{ allow: 'jwt.groups.exists(it, it == "ops")' }],
    sees: { ...forAll(''), admin: ALL },
  },
  {
    name: 'allow: a claim of the key',
    rules: [{ allow: 'apiKey.role == "bot" && apiKey.name == "ci"' }],
    sees: { ...forAll(''), key: ALL },
  },
  {
    name: 'allow: an annotation',
    rules: [{ allow: 'mcp.tool.annotations.readOnlyHint == true' }],
    sees: forAll('read'),
  },
  {
    name: 'allow: two, of which one is enough',
    rules: [
      { allow: 'mcp.tool.annotations.readOnlyHint' },
      { allow: 'principal.kind == "apiKey"' },
    ],
    sees: { ...forAll('read'), key: ALL },
  },
  {
    name: 'allow and deny',
    rules: [
      { allow: 'principal.kind == "jwt"' },
      ...deny('mcp.tool.target == "t" && jwt.role == "user"'),
    ],
    sees: { ...forAll(''), user: `${PROMPTS} ${RESOURCES}`, admin: ALL },
  },
  {
    name: 'allow, require and deny',
    rules: [
      { allow: 'mcp.phase in ["list", "call"]' },
      { require: 'principal.kind != "jwt" || jwt.level > 3' },
      ...deny('mcp.prompt.name == "greet"'),
    ],
    sees: { ...forAll(`${TOOLS} scold ${RESOURCES}`), user: '' },
  },
  {
    name: 'arguments: denied',
    rules: deny('mcp.tool.name == "write" && mcp.tool.arguments.path.startsWith("/home")'),
    sees: forAll(ALL),
    uses: forAll(`read drop ${PROMPTS} ${RESOURCES}`),
  },
  {
    name: 'arguments: denied, as one is not there',
    rules: deny('mcp.tool.arguments.none == 1'),
    sees: forAll(ALL),
    uses: forAll(`${PROMPTS} ${RESOURCES}`),
  },
  {
    name: 'arguments: allowed',
    rules: [{ allow: `mcp.tool.arguments.path == "${PATH}"` }],
    sees: forAll(TOOLS),
  },
  {
    name: 'arguments: allowed, and not these',
    rules: [{ allow: 'mcp.tool.arguments.path == "/srv"' }],
    sees: forAll(TOOLS),
    uses: forAll(''),
  },
  {
    name: 'arguments: of a prompt, where a completion has none',
    rules: deny('mcp.prompt.name == "greet" && mcp.prompt.arguments.path != "/home/x"'),
    sees: forAll(ALL),
    uses: forAll(ALL),
    never: ['complete greet'],
  },
  {
    name: 'headers',
    rules: [{ require: 'request.headers["x-zone"] == "inside"' }],
    sees: { ...forAll(''), key: ALL },
  },
  {
    name: 'headers: credentials are not among them',
    rules: deny('"x-api-key" in request.headers || "authorization" in request.headers'),
    sees: forAll(ALL),
  },
  {
    name: 'addresses: all are from here',
    rules: [{ require: 'source.address == "127.0.0.1"' }],
    sees: forAll(ALL),
  },
  {
    name: 'addresses: none is from elsewhere',
    rules: [{ allow: 'source.address == "192.0.2.1"' }],
    sees: forAll(''),
  },
  {
    name: 'clients of the older era',
    rules: [{ allow: 'mcp.client.name == "raw"' }],
    sees: forAll(ALL),
    only: 'legacy',
  },
  {
    name: 'clients of the newer era',
    rules: deny('mcp.client.name != "modern"'),
    sees: forAll(ALL),
    only: 'modern',
  },
  {
    name: 'phases: hidden and usable',
    rules: deny('mcp.phase == "list" && mcp.tool.name == "drop"'),
    sees: forAll(`read write ${PROMPTS} ${RESOURCES}`),
    uses: forAll(ALL),
  },
  {
    name: 'phases: shown and not usable',
    rules: deny('mcp.phase == "call"'),
    sees: forAll(ALL),
    uses: forAll(''),
  },
  {
    name: 'methods',
    rules: deny('mcp.method in ["prompts/get", "resources/subscribe"]'),
    sees: forAll(ALL),
    never: ['get greet', 'get scold', 'follow open', 'follow secret'],
  },
]
