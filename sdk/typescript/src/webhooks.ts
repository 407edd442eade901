import type { Http, RequestOptions } from './http.js'
import type {
  CreateWebhookEndpointRequest, ListWebhookDeliveriesResponse, ListWebhookEndpointsResponse, UpdateWebhookEndpointRequest,
  WebhookDelivery, WebhookDeliveryStatus, WebhookEndpoint,
} from './types.js'

const PATH = '/v1/webhook-endpoints'

export interface Page {
  /** 1 to 100; default 20. */
  limit?: number | undefined
  /** `nextCursor` of the page before. */
  cursor?: string | undefined
}

export interface ListDeliveries extends Page {
  status?: WebhookDeliveryStatus | undefined
}

/** URLs that are told of events. What arrives there is checked with `verifyWebhook`. */
export class WebhooksResource {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** The answer's `secret` is shown this once. Throws LetmepostError `webhook_url_not_allowed`, `webhook_limit_reached`. */
  create(endpoint: CreateWebhookEndpointRequest, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#http.send<WebhookEndpoint>({ ...options, method: 'POST', path: PATH, json: endpoint })
  }

  /** Throws LetmepostError `webhook_endpoint_not_found`. */
  get(id: string, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#http.send<WebhookEndpoint>({ ...options, method: 'GET', path: of(id) })
  }

  /** Newest first. */
  list(query: Page = {}, options: RequestOptions = {}): Promise<ListWebhookEndpointsResponse> {
    return this.#http.send<ListWebhookEndpointsResponse>({ ...options, method: 'GET', path: PATH, query: { ...query } })
  }

  /** What is not given stays as it is. */
  update(id: string, changes: UpdateWebhookEndpointRequest, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#http.send<WebhookEndpoint>({ ...options, method: 'PATCH', path: of(id), json: changes })
  }

  /** With all its deliveries. */
  delete(id: string, options: RequestOptions = {}): Promise<void> {
    return this.#http.send<void>({ ...options, method: 'DELETE', path: of(id) })
  }

  /** A new `secret`, shown this once; the one before signs too for 24 hours. */
  rotateSecret(id: string, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#http.send<WebhookEndpoint>({ ...options, method: 'POST', path: of(id, 'rotate-secret') })
  }

  /** Sends a `webhook.test` event, once, and waits for its end, 10 s if `waitS` does not say otherwise. */
  test(id: string, options: RequestOptions & { waitS?: number | undefined } = {}): Promise<WebhookDelivery> {
    return this.#http.send<WebhookDelivery>({ ...options, method: 'POST', path: of(id, 'test') })
  }

  /** What was and will be sent, newest first. */
  deliveries(id: string, query: ListDeliveries = {}, options: RequestOptions = {}): Promise<ListWebhookDeliveriesResponse> {
    return this.#http.send<ListWebhookDeliveriesResponse>({ ...options, method: 'GET', path: of(id, 'deliveries'), query: { ...query } })
  }

  /** Sends an event again, under the same id. `waitS`: seconds to wait for its end. */
  replay(id: string, deliveryId: string, options: RequestOptions & { waitS?: number | undefined } = {}): Promise<WebhookDelivery> {
    return this.#http.send<WebhookDelivery>({ ...options, method: 'POST', path: of(id, 'deliveries', deliveryId, 'replay') })
  }
}

function of(...parts: string[]): string {
  return [PATH, ...parts.map(encodeURIComponent)].join('/')
}
