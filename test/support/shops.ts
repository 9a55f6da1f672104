import { readConfig } from '../../src/config/config.ts'
import type { FieldMap } from '../../src/order/field-map.ts'
import { formatOf, type OrderFormat } from '../../src/order/format.ts'

/** The settings of a shop, as docs/how-to/map-your-fields.md has them. */
export const shopFields = {
  shopify:
    'user_id:customer.id,order_id:id,order_value:total_price:decimal,items:line_items,items.product_id:sku,items.quantity:quantity,items.price_per_unit:price:decimal,order_timestamp:created_at',
  wooCommerce:
    'user_id:customer_id,order_id:id,order_value:total:decimal,items:line_items,items.product_id:sku,items.price_per_unit:price:decimal,order_timestamp:date_created_gmt',
} as const
export type Shop = keyof typeof shopFields

/** The format of these settings. @throws if they are refused */
export const formatWith = (env: NodeJS.ProcessEnv): OrderFormat => formatOf(readConfig(env))

export const formatOfShop = (shop: Shop): OrderFormat => formatWith({ ORDER_FIELDS: shopFields[shop] })

interface Line {
  readonly sku: string
  readonly quantity: number
  readonly cents: number
}

export interface ShopOrder {
  readonly user: number
  readonly id: number
  readonly lines: readonly Line[]
}

const amount = (cents: number): string => (cents / 100).toFixed(2)
const totalOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0)

/** An order as the webhook orders/create of Shopify sends it, in its main fields. */
export function shopifyOrder({ user, id, lines }: ShopOrder): object {
  const total = amount(totalOf(lines))
  const set = (text: string) => ({
    shop_money: { amount: text, currency_code: 'USD' },
    presentment_money: { amount: text, currency_code: 'USD' },
  })
  return {
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    confirmed: true,
    created_at: '2026-11-28T10:15:30-05:00',
    currency: 'USD',
    current_total_price: total,
    financial_status: 'paid',
    name: `#${id % 10_000}`,
    note_attributes: [],
    order_number: id % 10_000,
    source_name: 'web',
    subtotal_price: total,
    total_discounts: '0.00',
    total_line_items_price: total,
    total_price: total,
    total_price_set: set(total),
    total_tax: '0.00',
    user_id: null,
    customer: { id: user, first_name: 'Ada', last_name: 'L', state: 'enabled', currency: 'USD' },
    line_items: lines.map(({ sku, quantity, cents }, at) => ({
      id: id * 10 + at,
      current_quantity: quantity,
      fulfillable_quantity: quantity,
      grams: 200,
      name: `Product ${sku}`,
      price: amount(cents),
      price_set: set(amount(cents)),
      product_id: 7_000_000_000_000 + at,
      quantity,
      sku,
      taxable: true,
      title: `Product ${sku}`,
      total_discount: '0.00',
    })),
    shipping_address: { address1: '12 Main St', city: 'Springfield', country_code: 'US', zip: '12345' },
  }
}

/** An order as the webhook order.created of WooCommerce sends it, in its main fields. */
export function wooCommerceOrder({ user, id, lines }: ShopOrder): object {
  return {
    id,
    parent_id: 0,
    status: 'processing',
    currency: 'USD',
    version: '9.4.2',
    prices_include_tax: false,
    date_created: '2026-11-28T10:15:30',
    date_created_gmt: '2026-11-28T15:15:30',
    discount_total: '0.00',
    shipping_total: '0.00',
    cart_tax: '0.00',
    total: amount(totalOf(lines)),
    total_tax: '0.00',
    customer_id: user,
    order_key: `wc_order_${id}`,
    billing: { first_name: 'Ada', last_name: 'L', address_1: '12 Main St', email: 'ada@example.com' },
    shipping: { first_name: 'Ada', last_name: 'L', address_1: '12 Main St' },
    payment_method: 'cod',
    payment_method_title: 'Cash on delivery',
    line_items: lines.map(({ sku, quantity, cents }, at) => ({
      id: at + 1,
      name: `Product ${sku}`,
      product_id: 90 + at,
      variation_id: 0,
      quantity,
      tax_class: '',
      subtotal: amount(quantity * cents),
      total: amount(quantity * cents),
      total_tax: '0.00',
      meta_data: [],
      sku,
      price: cents / 100,
    })),
    shipping_lines: [],
    fee_lines: [],
    coupon_lines: [],
    refunds: [],
  }
}

/** The same order under the pipeline's own names. */
export function ownOrder({ user, id, lines }: ShopOrder): object {
  return {
    user_id: user,
    order_id: id,
    order_value: totalOf(lines) / 100,
    items: lines.map(({ sku, quantity, cents }) => ({ product_id: sku, quantity, price_per_unit: cents / 100 })),
  }
}

export const shopOrders = { shopify: shopifyOrder, wooCommerce: wooCommerceOrder }

/** The places that a map gives, by field; what is expected instead where it is none. */
export const placesIn = (map: FieldMap | string): unknown => {
  if (typeof map === 'string') return map
  const moved = [...map.order, ...map.item]
  return Object.fromEntries(moved.map(({ name, path, isDecimal }) => [name, isDecimal ? [path, 'decimal'] : path]))
}
