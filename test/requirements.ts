/**
 * What must hold, line by line, of the protocol and of this gateway. Tests cite a line as `[R49]` in their titles;
 * `requirements-coverage.test.ts` fails for a line that is due and cited nowhere.
 *
 * Sources in short: B, V = 2026-07-28 basic/index, basic/versioning; T = 2026-07-28 basic/transports/streamable-http;
 * CA, MR, PR, SU = 2026-07-28 basic/patterns/cancellation, mrtr, progress, subscriptions; D = 2026-07-28
 * server/discover; CH = 2026-07-28 server/utilities/caching; A = 2026-07-28 basic/authorization; L5 = 2025-11-25
 * basic/transports.
 */
export interface Requirement {
  readonly id: number
  /** MUST, SHOULD, or a rule of this gateway's own. */
  readonly strength: 'M' | 'S' | 'G'
  readonly text: string
  readonly source: string
  /** The later issue that makes the line hold: 6 authorization, 7 telemetry, 8 scale. */
  readonly owner?: 6 | 7 | 8
}

// A line is a requirement.
// prettier-ignore
export const REQUIREMENTS: readonly Requirement[] = [
  { id: 1, strength: 'M', text: 'Modern request missing _meta version or clientCapabilities → 400 and -32602', source: 'B#meta' },
  { id: 2, strength: 'M', text: 'Modern request without clientInfo is served', source: 'B#meta (S for clients), conformance server-stateless' },
  { id: 3, strength: 'M', text: 'Unsupported version → 400, -32022 with supported and echoed requested', source: 'V, T' },
  { id: 4, strength: 'M', text: 'Header/body version mismatch → 400, -32020', source: 'T' },
  { id: 5, strength: 'M', text: 'Missing or mismatching Mcp-Method → 400, -32020; header name case ignored, value case-sensitive', source: 'T' },
  { id: 6, strength: 'M', text: 'Missing or mismatching Mcp-Name on tools/call, prompts/get, resources/read → 400, -32020', source: 'T' },
  { id: 7, strength: 'M', text: 'Base64-sentinel Mcp-Name/Mcp-Param-* decoded before comparison; bad base64 → 400, -32020', source: 'T' },
  { id: 8, strength: 'M', text: 'Mcp-Param-* missing for a present annotated argument → 400, -32020; null/absent argument expects no header', source: 'T' },
  { id: 9, strength: 'M', text: 'Unknown or removed method with modern envelope (initialize, ping, logging/setLevel, resources/subscribe, unsubscribe) → 404, -32601', source: 'T, conformance' },
  { id: 10, strength: 'M', text: 'Needed capability undeclared → 400, -32021, requiredCapabilities is an object', source: 'B' },
  { id: 11, strength: 'M', text: 'server/discover implemented, returns supportedVersions, capabilities, ttlMs, cacheScope', source: 'D, CH' },
  { id: 12, strength: 'M', text: 'Every modern result has resultType', source: 'B' },
  { id: 13, strength: 'M', text: 'Absent upstream resultType treated as complete; unknown value rejected', source: 'B' },
  { id: 14, strength: 'M', text: 'No JSON-RPC requests on modern streams', source: 'T' },
  { id: 15, strength: 'M', text: 'Posted responses and batches refused on the modern path', source: 'T' },
  { id: 16, strength: 'M', text: 'Accepted notification → 202 without body', source: 'T, L5' },
  { id: 17, strength: 'M', text: 'Modern disconnect cancels upstream work, nothing more is sent', source: 'T, CA' },
  { id: 18, strength: 'M', text: 'stdio modern upstream cancelled by notifications/cancelled', source: '2026-07-28 basic/transports/stdio' },
  { id: 19, strength: 'M', text: 'Invalid Origin → 403, both eras', source: 'T, L5' },
  { id: 20, strength: 'M', text: '-32002 and -32042 never reach modern clients', source: 'B#error-codes' },
  { id: 21, strength: 'M', text: '-32020..-32099 used only with their defined meaning', source: 'B#error-codes' },
  { id: 22, strength: 'M', text: 'Resource not found → -32602 (modern), contents never empty for missing', source: '2026-07-28 server/resources' },
  { id: 23, strength: 'M', text: 'subscriptions/listen: ack is the first message; all messages carry subscriptionId = listen id', source: 'SU' },
  { id: 24, strength: 'M', text: 'subscriptions/listen never delivers unrequested types, progress or log messages', source: 'SU, T' },
  { id: 25, strength: 'S', text: 'Server-side end of listen sends the completion result', source: 'SU' },
  { id: 26, strength: 'M', text: 'list results identical across connections for one auth context', source: '2026-07-28 server/tools, prompts, resources' },
  { id: 27, strength: 'S', text: 'Deterministic tool order', source: '2026-07-28 server/tools' },
  { id: 28, strength: 'M', text: 'ttlMs ≥ 0 and cacheScope on all six cacheable results with resultType complete', source: 'CH' },
  { id: 29, strength: 'M', text: 'Same cacheScope on all pages of a list', source: 'CH' },
  { id: 30, strength: 'M', text: 'Private results never shared across auth contexts in our cache', source: 'CH' },
  { id: 31, strength: 'M', text: 'Results of requests with inputResponses/requestState not cached', source: 'CH' },
  { id: 32, strength: 'M', text: 'input_required only on tools/call, prompts/get, resources/read', source: 'MR' },
  { id: 33, strength: 'M', text: 'input_required has inputRequests or requestState', source: 'MR' },
  { id: 34, strength: 'M', text: 'No inputRequests kind or mode the client did not declare on that request', source: 'MR, 2026-07-28 client/elicitation' },
  { id: 35, strength: 'M', text: 'requestState integrity-protected; tampered/expired/foreign-principal state rejected', source: 'MR' },
  { id: 36, strength: 'M', text: 'Upstream retry uses a new id, exact requestState, none if none was given', source: 'MR' },
  { id: 37, strength: 'M', text: 'inputResponses/requestState used only for the retry of that call', source: 'MR' },
  { id: 38, strength: 'M', text: 'notifications/message only with logLevel, at/above level, on that stream', source: '2026-07-28 server/utilities/logging' },
  { id: 39, strength: 'M', text: 'Progress only for live tokens we were given; values increase; stops at completion', source: 'PR' },
  { id: 40, strength: 'M', text: 'Response ids echo value and type; error responses echo readable ids', source: 'B, conformance' },
  { id: 41, strength: 'M', text: 'Cursors opaque; empty string is a cursor; invalid → -32602 (S)', source: '2026-07-28 server/utilities/pagination' },
  { id: 42, strength: 'M', text: 'All upstream pages followed', source: '2026-07-28 server/utilities/pagination' },
  { id: 43, strength: 'M', text: 'Tools with invalid x-mcp-header from HTTP backends excluded (S: logged)', source: 'T, server/tools' },
  { id: 44, strength: 'M', text: 'Upstream modern requests carry MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Param-* rebuilt from the upstream body', source: 'T' },
  { id: 45, strength: 'M', text: 'Upstream Accept lists both media types', source: 'T, L5' },
  { id: 46, strength: 'M', text: 'Dual-era fallback not keyed to one error code; modern errors never cause fallback', source: '2026-07-28 basic/transports/stdio, T, V' },
  { id: 47, strength: 'S', text: 'Era verdict cached, re-probed on failure', source: 'V' },
  { id: 48, strength: 'M', text: 'initialize asking an unknown or modern version answered with a supported legacy version', source: '2025-11-25 basic/lifecycle' },
  { id: 49, strength: 'M', text: 'Legacy session id visible ASCII, (S) random; terminated → 404', source: 'L5' },
  { id: 50, strength: 'S', text: 'Missing session id on non-initialize → 400', source: 'L5' },
  { id: 51, strength: 'M', text: 'Unsupported MCP-Protocol-Version on a legacy request → 400; absent → session version or 25-03', source: 'L5' },
  { id: 52, strength: 'M', text: 'GET answers SSE or 405', source: 'L5' },
  { id: 53, strength: 'M', text: 'Each message on exactly one stream of a session', source: 'L5' },
  { id: 54, strength: 'M', text: 'Replay after Last-Event-ID only from the same stream; event ids unique per session', source: 'L5' },
  { id: 55, strength: 'S', text: 'Legacy disconnect does not cancel', source: 'L5' },
  { id: 56, strength: 'S', text: 'DELETE ends the session and its upstream sessions', source: 'L5' },
  { id: 57, strength: 'M', text: 'On upstream 404 with session id: new initialize without session id', source: 'L5' },
  { id: 58, strength: 'M', text: '25-03 sessions accept batches; others refuse', source: '2025-03-26 basic/index, 2025-06-18 changelog' },
  { id: 59, strength: 'M', text: 'Only negotiated capabilities used on legacy hops', source: '2025-11-25 basic/lifecycle' },
  { id: 60, strength: 'M', text: 'initialize never cancelled; task calls cancelled via tasks/cancel', source: '2025-11-25 basic/utilities/cancellation' },
  { id: 61, strength: 'M', text: 'ping answered promptly on legacy hops', source: '2025-11-25 basic/utilities/ping' },
  { id: 62, strength: 'S', text: 'Requests before initialized limited to ping/logging', source: '2025-11-25 basic/lifecycle' },
  { id: 63, strength: 'M', text: 'Server→client requests tied to an in-flight client request', source: 'SEP-2260, MR' },
  { id: 64, strength: 'M', text: '25-11 task rules: related-task on all messages, tasks/result blocking, context binding', source: '2025-11-25 basic/utilities/tasks' },
  { id: 65, strength: 'M', text: 'Ext tasks: no resultType task without the declared extension; -32021 to non-declaring callers', source: 'ext-tasks' },
  { id: 66, strength: 'M', text: 'Ext tasks: Mcp-Name = taskId; tasks/get resultType complete; unknown id -32602', source: 'ext-tasks' },
  { id: 67, strength: 'M', text: 'Ext tasks: params.task ignored; tasks/result and tasks/list → -32601', source: 'ext-tasks' },
  { id: 68, strength: 'M', text: 'notifications/elicitation/complete only to the initiating client', source: '2025-11-25 client/elicitation' },
  { id: 69, strength: 'M', text: 'URL elicitation: url not prefetched, no secrets via form', source: '2026-07-28 client/elicitation' },
  { id: 70, strength: 'M', text: 'PRM served with ≥1 authorization server', source: 'A/authorization-server-discovery' },
  { id: 71, strength: 'M', text: '401 on missing/invalid/expired token; resource_metadata in header or well-known', source: 'A' },
  { id: 72, strength: 'S', text: '403 insufficient_scope with scope and resource_metadata', source: 'A' },
  { id: 73, strength: 'M', text: 'Audience validated; tokens for others refused', source: 'A, A/security-considerations' },
  { id: 74, strength: 'M', text: 'Inbound token never sent upstream', source: 'A/security-considerations, security_best_practices' },
  { id: 75, strength: 'M', text: 'Token in query refused; Authorization checked on every request', source: 'A' },
  { id: 76, strength: 'M', text: 'Sessions/handles not used as authentication; session bound to principal (S)', source: 'security_best_practices (2025-11-25, 2026-07-28)' },
  { id: 77, strength: 'M', text: 'As OAuth client: PKCE, resource parameter, iss check, issuer equality, issuer-keyed credentials', source: 'A, A/client-registration', owner: 6 },
  { id: 78, strength: 'M', text: 'SSRF protections for discovered OAuth URLs considered and implemented', source: 'security_best_practices', owner: 6 },
  { id: 79, strength: 'M', text: 'Network $ref never auto-fetched', source: 'B#ref-resolution' },
  { id: 80, strength: 'M', text: 'traceparent/tracestate/baggage follow W3C formats', source: 'B', owner: 7 },
  { id: 81, strength: 'S', text: 'serverInfo stamped on modern results; not used for behaviour', source: 'B' },
  { id: 82, strength: 'S', text: 'X-Accel-Buffering: no and keep-alive comments on SSE', source: 'T' },
  { id: 83, strength: 'M', text: 'stdio: one JSON message per line, nothing else on stdin', source: '2026-07-28 basic/transports/stdio' },
  { id: 84, strength: 'S', text: 'stdio crash: restart, re-listen', source: '2026-07-28 basic/transports/stdio' },
  { id: 85, strength: 'M', text: 'ui:// scheme kept; _meta.ui.resourceUri resolves through us', source: 'ext-apps 2026-01-26' },
  { id: 86, strength: 'M', text: 'Extension unsupported on one side → core behaviour or error', source: 'V' },
  { id: 87, strength: 'G', text: 'Upstream catalog survives unknown fields (_meta, annotations, icons) round-trip', source: 'ours' },
  { id: 88, strength: 'G', text: 'One failing backend does not empty or fail the merged list', source: 'ours' },
  { id: 89, strength: 'G', text: 'No hop-scoped header or _meta key crosses hops', source: 'ours' },
  { id: 90, strength: 'G', text: 'Non-idempotent calls never auto-retried after bytes were sent', source: 'ours' },
  { id: 91, strength: 'G', text: 'Ambiguous bare names/URIs error instead of guessing', source: 'ours' },
  { id: 92, strength: 'G', text: 'server/discover, list and call paths work on any replica without shared memory for modern↔modern', source: 'ours', owner: 8 },
  { id: 93, strength: 'G', text: 'Legacy upstream sessions never shared between principals', source: 'ours' },
  { id: 94, strength: 'G', text: 'Conformance server suites 2025-11-25 and 2026-07-28 pass through the gateway with one backend, empty prefix, passthrough URIs', source: 'conformance requirements/*.yaml' },
]
