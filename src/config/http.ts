// What the config says of HTTP beyond the gateway's own methods: endpoints that other programs know, and hooks by which
// they set turns going. All of it is off unless it is switched on.
import * as z from 'zod'

const PATH_DEFAULT = '/hooks'
const BODY_BYTES_DEFAULT = 256 * 1_024

const switched = (description: string) =>
  z.looseObject({ enabled: z.boolean().optional().meta({ description, default: false }) }).optional()

export const httpKey = z
  .looseObject({
    endpoints: z
      .looseObject({
        chatCompletions: switched('Whether `POST /v1/chat/completions` answers.'),
        responses: switched('Whether `POST /v1/responses` answers.'),
      })
      .optional(),
  })
  .optional()

const hooksSchema = z.looseObject({
  enabled: z.boolean().optional().meta({ description: 'Whether other programs may call hooks.', default: false }),
  token: z
    .string()
    .min(16, 'a token needs at least 16 characters')
    .optional()
    .meta({ description: 'What callers of hooks show; it opens nothing else.', secret: true }),
  path: z
    .string()
    .regex(/^(\/[\w.-]+)+$/, 'give a path such as /hooks')
    .refine(path => !/^\/(rpc|v1|events|tools|healthz|readyz|metrics|openapi\.json)(\/|$)/.test(path), {
      error: 'this path is taken by the gateway itself',
    })
    .optional()
    .meta({ description: 'Where hooks are: `<path>/wake` and `<path>/agent`.', default: PATH_DEFAULT }),
  maxBodyBytes: z
    .int()
    .min(1)
    .max(20_971_520)
    .optional()
    .meta({ description: 'Largest body of a hook, in bytes.', default: BODY_BYTES_DEFAULT }),
})
export const hooksKey = hooksSchema.optional()

export interface HttpSettings {
  readonly chatCompletions: boolean
  readonly responses: boolean
  /** Undefined: there are no hooks. */
  readonly hooks: { readonly token: string; readonly path: string; readonly bodyBytesMax: number } | undefined
}

interface HttpConfig {
  readonly gateway?:
    | { readonly http?: z.output<typeof httpKey>; readonly auth?: { readonly token?: string | undefined } | undefined }
    | undefined
  readonly hooks?: z.output<typeof hooksKey>
}

/** `wrong` makes the error for a value that only others show to be wrong. */
export function httpSettings(
  { gateway, hooks }: HttpConfig,
  token: string | undefined,
  wrong: (path: string, message: string) => Error,
): HttpSettings {
  const { chatCompletions, responses } = gateway?.http?.endpoints ?? {}
  return {
    chatCompletions: chatCompletions?.enabled ?? false,
    responses: responses?.enabled ?? false,
    hooks: hooks?.enabled ? hooksOf(hooks, token, wrong) : undefined,
  }
}

function hooksOf(
  { token, path, maxBodyBytes }: z.output<typeof hooksSchema>,
  own: string | undefined,
  wrong: (path: string, message: string) => Error,
): HttpSettings['hooks'] {
  if (token === undefined) throw wrong('hooks.enabled', 'is true, but hooks.token is not set.')
  if (token === own) throw wrong('hooks.token', "is the gateway's own token. Give hooks one of their own.")
  return { token, path: path ?? PATH_DEFAULT, bodyBytesMax: maxBodyBytes ?? BODY_BYTES_DEFAULT }
}
