// What a gateway that runs serves: who may come in by which way, the pages it shows, and what a client is told first. It
// opens and closes nothing, and decides nothing that access/ or dispatch/ decide.
import type { Binding } from './access/binding.ts'
import { OPERATOR_ROLE } from './access/connect.ts'
import { Door, type Entry } from './access/door.ts'
import { judgeRequest } from './access/request.ts'
import type { Secrets } from './access/secrets.ts'
import { networksOf } from './base/addresses.ts'
import { formatDuration } from './base/durations.ts'
import { ownName } from './base/node/addresses.ts'
import type { Log } from './base/node/log.ts'
import { VERSION } from './base/node/version.ts'
import type { World } from './base/world.ts'
import type { Settings } from './config/load.ts'
import type { Places } from './config/locate.ts'
import type { House } from './house.ts'
import { healthOf } from './methods/gateway.ts'
import { metricsText } from './methods/metrics.ts'
import { CATALOGUE } from './protocol/catalogue.ts'
import type { HelloOk } from './protocol/connect.ts'
import { EVENT_NAMES } from './protocol/events.ts'
import { BUFFERED_BYTES_MAX, FRAME_BYTES_MAX, PROTOCOL_VERSION, TICK_INTERVAL_MS } from './protocol/limits.ts'
import { canonicalSession, MAIN_KEY } from './sessions/session-key.ts'
import type { Admission } from './transports/connection.ts'
import { HttpHandler, type Webhook } from './transports/http/handler.ts'
import { FIGURES_TYPE, type Page, type PageRequest, renderPage, unauthorizedPage } from './transports/page.ts'
import { GatewayServer } from './transports/server.ts'

const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz'])
const PAGES: ReadonlySet<string> = new Set(['/', '/metrics', ...PROBES])

/** Where a channel's service hands in updates, and how it shows that it is that service. */
export interface ChannelHook extends Omit<Webhook, 'admits'> {
  /** How the service names this gateway. */
  readonly url: string
  readonly secret: string
}

/** Where it listens and who is let in: settled at the start. */
export interface Listening {
  readonly binding: Binding
  readonly port: number
  readonly tls: { readonly cert: string; readonly key: string; readonly fingerprint: string } | undefined
  readonly secrets: Secrets
  readonly access: Settings['access']
}

interface Serving extends Listening {
  readonly webhooks: readonly ChannelHook[]
  readonly options: Surroundings
  readonly log: Log
}

interface Surroundings {
  readonly world: World
  readonly places: Places
  /** Full path of the command that started us; shown to people. */
  readonly launcher: string
}

export function serve(
  house: House,
  { binding, port, tls, secrets, access, options, webhooks, log }: Serving,
): { server: GatewayServer; http: HttpHandler } {
  const { clock, random } = options.world
  const door = new Door<HouseTurn>({
    ...{ clock, random, secrets, log },
    store: house.parts.store,
    tokens: house.parts.deviceTokens,
    turnOf: cause => house.reach.callerOf(cause),
  })
  const name = ownName().toLowerCase()
  const policy = {
    names: new Set([
      ...[name, `${name}.local`, ...access.allowedHosts],
      ...webhooks.map(({ url }) => new URL(url).hostname),
    ]),
    trustedProxies: networksOf(access.trustedProxies),
  }
  const http = httpOf(house, door, { options, webhooks, log })
  const server = new GatewayServer({
    hosts: binding.hosts,
    ...{ port, tls, clock },
    http: (request, response, origin) => http.handle(request, response, origin),
    judge: request => judgeRequest(request, policy),
    page: request => pageFor(house, { door, launcher: options.launcher }, request),
    connection: {
      dispatcher: house.dispatcher,
      clock,
      random,
      log,
      listen: listener => {
        const end = house.hub.listen(listener)
        // Clients expect a fresh picture after each connect; who has left by then must not have a closed store asked.
        const picture = clock.after(0, () => listener(house.healthEvent()))
        return () => [picture.cancel(), end()]
      },
      admit: (params, peer) => {
        const admitted = (entry: Entry<HouseTurn>) => admissionOf(entry, params.client.id)
        const entry = door.enter(params, peer)
        return entry instanceof Promise ? entry.then(admitted) : admitted(entry)
      },
      joined: (connId, { params, caller, from }) =>
        caller.turn
          ? () => undefined
          : house.parts.presence.joined(connId, { params, scopes: caller.scopes, ip: from.address }),
      hello: connId => helloOk(house, connId, options),
    },
  })
  return { server, http }
}

function httpOf(
  house: House,
  door: Door<HouseTurn>,
  { options, webhooks, log }: Pick<Serving, 'options' | 'webhooks' | 'log'>,
): HttpHandler {
  const { clock, random } = options.world
  return new HttpHandler({
    ...{ dispatcher: house.dispatcher, clock, random, log, version: VERSION },
    listen: listener => house.hub.listen(listener),
    lastSeq: () => house.parts.store.read.lastSeq(),
    settings: () => house.parts.settings().http,
    webhooks: webhooks.map(({ secret, ...hook }) => ({
      ...hook,
      admits: (shown, from) => door.knows(secret, shown, from),
    })),
    admit: (shown, from) => {
      const entry = door.present(shown, from)
      if ('waitMs' in entry) return entry
      if ('turn' in entry) return { caller: entry.turn }
      const { principal, scopes } = entry.grant
      return { caller: { principal, label: 'http', scopes } }
    },
    admitHook: (presented, from) => {
      const { hooks } = house.parts.settings().http
      return hooks !== undefined && door.knows(hooks.token, presented, from)
    },
  })
}

type HouseTurn = NonNullable<ReturnType<House['reach']['callerOf']>>

function admissionOf(entry: Entry<HouseTurn>, label: string): Admission {
  if ('refused' in entry) return entry
  if ('turn' in entry) return { caller: entry.turn }
  const { principal, scopes, device } = entry.grant
  const by = device && { device: { deviceId: device.deviceId, role: OPERATOR_ROLE, byToken: device.presented } }
  return { caller: { principal, label, scopes, ...by }, ...(entry.auth && { auth: entry.auth }) }
}

function helloOk(house: House, connId: string, options: Surroundings): HelloOk {
  const { clock } = options.world
  const { defaultAgent } = house.parts.settings()
  const main = canonicalSession(MAIN_KEY, defaultAgent)
  return {
    type: 'hello-ok',
    protocol: PROTOCOL_VERSION,
    server: { version: VERSION, host: ownName(), connId },
    features: { methods: Object.keys(CATALOGUE), events: EVENT_NAMES },
    snapshot: {
      presence: house.parts.presence.list(),
      health: healthOf(house.parts),
      ...house.version(),
      uptimeMs: clock.now() - house.parts.facts.startedAtMs,
      lastSeq: house.parts.store.read.lastSeq(),
      stateDir: options.places.stateDir,
      configPath: options.places.configPath,
      sessionDefaults: {
        defaultAgentId: defaultAgent,
        mainKey: MAIN_KEY,
        mainSessionKey: main.key,
        scope: 'per-sender',
      },
    },
    policy: { maxPayload: FRAME_BYTES_MAX, maxBufferedBytes: BUFFERED_BYTES_MAX, tickIntervalMs: TICK_INTERVAL_MS },
  }
}

function pageFor(
  house: House,
  { door, launcher }: { door: Door<HouseTurn>; launcher: string },
  request: PageRequest,
): Page | undefined {
  const { parts, address } = house
  const { facts } = parts
  const { path, authorization, from } = request
  if (!PAGES.has(path)) return undefined
  // Beyond this machine those who do not show the secret are told that it lives, and nothing else.
  const isKnown = (from.isLocal && path !== '/metrics') || door.admits(authorization, from)
  if (!isKnown && !PROBES.has(path)) return unauthorizedPage()
  if (!isKnown && door.probed(from) !== undefined) return { status: 429, type: 'text/plain', body: 'too often\n' }
  if (path === '/healthz') return { status: 200, type: 'text/plain', body: 'ok\n' }
  if (path === '/readyz') return readyPage(house, isKnown)
  if (path === '/metrics') return { status: 200, type: FIGURES_TYPE, body: metricsText(parts) }
  const body = renderPage({
    version: facts.version,
    url: address.url,
    zone: facts.zone,
    model: facts.modelRef,
    chatCommand: `${launcher} chat`,
    sessions: parts.store.read.sessionCount(),
    jobs: parts.store.read.jobCount({ includeDisabled: false }),
    uptime: formatDuration(parts.clock.now() - facts.startedAtMs),
  })
  return { status: 200, type: 'text/html', body }
}

/** Ready: unfinished turns are in their lanes, the store is sound as far as is known, and nothing is held back. */
function readyPage({ address, parts }: House, isKnown: boolean): Page {
  const { heldBack, integrity } = parts.facts.condition
  const damaged = integrity().startsWith('damaged') ? `the store is ${integrity()}` : undefined
  const why = address.url === '' ? 'it is starting' : (heldBack ?? damaged)
  if (why === undefined) return { status: 200, type: 'text/plain', body: 'ready\n' }
  return { status: 503, type: 'text/plain', body: isKnown ? `not ready: ${why}\n` : 'not ready\n' }
}
