// Handlers on models: what there is, in the words of the config and of the providers. Nothing waits for a provider longer
// than a few seconds, and one that does not answer is said to be one.
import type { Settings } from '../config/load.ts'
import type { Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { OFFLINE_REF } from '../providers/choice.ts'
import type { ProviderList } from '../providers/lists.ts'
import type { MethodParts } from './parts.ts'

type Listed = Result<'models.list'>['models'][number]

const OFFLINE: Listed = { id: 'offline', name: 'Built-in offline model', provider: 'sluice', ref: OFFLINE_REF }

export function modelHandlers(parts: MethodParts): Pick<Handlers, 'models.list'> {
  return { 'models.list': () => listModels(parts) }
}

async function listModels({ settings, facts, lists }: MethodParts): Promise<Result<'models.list'>> {
  const { providers, fallbacks } = settings().models
  const told = await lists.of(providers)
  const found = Object.entries(providers).flatMap(([name, provider]) => modelsOf(name, provider, told.get(name)))
  const order = [...new Set([facts.modelRef, ...fallbacks, OFFLINE_REF])]
  const models = [...found, OFFLINE].map(model =>
    order.includes(model.ref) ? { ...model, order: order.indexOf(model.ref) + 1 } : model,
  )
  const problems = [...told].flatMap(([provider, list]) => ('problem' in list ? [{ provider, ...list }] : []))
  return { models, problems }
}

/** What the config says of a model comes first; the rest is the provider's. */
function modelsOf(
  provider: string,
  { models }: Settings['models']['providers'][string],
  list: ProviderList | undefined,
): Listed[] {
  const configured = models.map(({ id, name, reasoning, input, cost, contextWindow }) => ({
    ...{ id, provider, name: name ?? id, ref: `${provider}/${id}` },
    ...(contextWindow !== undefined && { contextWindow }),
    ...(reasoning !== undefined && { reasoning }),
    ...(input && { input: [...input] }),
    ...(cost && { cost }),
  }))
  const more = list && 'models' in list ? list.models : []
  const isNew = (id: string) => !configured.some(model => model.id === id)
  return [
    ...configured,
    ...more.filter(({ id }) => isNew(id)).map(({ id, name }) => ({ id, name, provider, ref: `${provider}/${id}` })),
  ]
}
