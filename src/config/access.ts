// What the config says of who may come in and where the gateway listens. It looks at no network: whether this machine has
// an address is found out at the start.
import * as z from 'zod'
import { familyOf, isNetwork } from '../base/addresses.ts'
import type { Env } from './locate.ts'

const BINDS: readonly string[] = ['loopback', 'lan', 'tailnet', 'auto', 'custom']

const address = z.string().refine(text => familyOf(text) !== undefined, 'give an IP address')
const path = z.string().regex(/^\//, 'give an absolute path')

const network = z.string().refine(isNetwork, 'give an IP address or a network such as 10.0.0.0/8')

/** A text that is never shown; in the file it may also be `{ file: '/path' }` (secrets.ts). */
const secret = (description: string) => ({ description, secret: true })

const authSchema = z.looseObject({
  mode: z
    .enum(['token', 'password'], { error: 'only "token" and "password" are supported; none is no mode' })
    .optional()
    .describe('With "token" a password lets nobody in. Default: password where one is set, else token.'),
  token: z
    .string()
    .min(16, 'a token needs at least 16 characters')
    .optional()
    .meta(
      secret('The token of clients; one is made in the state folder without it. SLUICE_GATEWAY_TOKEN wins over it.'),
    ),
  password: z
    .string()
    .min(12, 'a password needs at least 12 characters')
    .optional()
    .meta(secret('A password that lets clients in beside the token. SLUICE_GATEWAY_PASSWORD wins over it.')),
})

export const accessKeys = {
  bind: z
    .string()
    .refine(
      text => BINDS.includes(text) || familyOf(text) !== undefined,
      'give loopback, lan, tailnet, or an IP address',
    )
    .optional()
    .meta({
      description: 'Where it listens: loopback, lan, tailnet (the one address in 100.64.0.0/10), or an IP address.',
      default: 'loopback',
    }),
  customBindHost: address.optional().describe('The address of `gateway.bind: "custom"`.'),
  auth: authSchema.optional(),
  tls: z
    .looseObject({
      enabled: z
        .boolean()
        .optional()
        .meta({ description: 'Serve over TLS, and nothing in the clear.', default: false }),
      certPath: path.optional().describe('PEM file of the certificate.'),
      keyPath: path.optional().describe('PEM file of its key.'),
    })
    .refine(({ enabled, certPath, keyPath }) => !enabled || (certPath && keyPath), {
      error: 'needs certPath and keyPath, the PEM files of the certificate and of its key',
    })
    .optional(),
  trustedProxies: z
    .array(network)
    .optional()
    .describe('Addresses and networks of proxies whose headers are believed; none without it.'),
  allowedHosts: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'give a name in small letters, without a port'))
    .optional()
    .describe('Names by which clients may ask for it, beside addresses, localhost and the name of its machine.'),
}
const accessSchema = z.looseObject(accessKeys)
type AccessConfig = z.output<typeof accessSchema>

export interface AccessSettings {
  /** Undefined: the token alone lets in. */
  readonly password: string | undefined
  /** `loopback`, `lan`, `tailnet`, or an address. */
  readonly bind: string
  readonly tls: { readonly certPath: string; readonly keyPath: string } | undefined
  /** Addresses and networks of proxies whose headers are believed. */
  readonly trustedProxies: readonly string[]
  /** Names by which clients may ask for the gateway, beside addresses and `localhost`. */
  readonly allowedHosts: readonly string[]
}

/** `wrong` makes the error for a value that only others show to be wrong. */
export function accessSettings(
  gateway: AccessConfig | undefined,
  env: Env,
  wrong: (path: string, message: string) => Error,
): AccessSettings {
  const { auth, tls, trustedProxies = [], allowedHosts = [] } = gateway ?? {}
  const password = env.SLUICE_GATEWAY_PASSWORD || auth?.password
  if (auth?.mode === 'password' && !password) {
    throw wrong('gateway.auth.mode', 'is "password", but gateway.auth.password is not set.')
  }
  const isOn = tls?.enabled && tls.certPath && tls.keyPath
  return {
    password: auth?.mode === 'token' ? undefined : password,
    bind: bindOf(gateway ?? {}, wrong),
    tls: isOn ? { certPath: tls.certPath as string, keyPath: tls.keyPath as string } : undefined,
    trustedProxies,
    allowedHosts,
  }
}

function bindOf({ bind, customBindHost }: AccessConfig, wrong: (path: string, message: string) => Error): string {
  // The family's `auto` is loopback unless that cannot be had, and nothing here is widened by itself.
  if (bind === undefined || bind === 'auto') return 'loopback'
  if (bind !== 'custom') return bind
  if (customBindHost === undefined) {
    throw wrong(
      'gateway.bind',
      'is "custom", but gateway.customBindHost is not set. Or give the address as gateway.bind.',
    )
  }
  return customBindHost
}
