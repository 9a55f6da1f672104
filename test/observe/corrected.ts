/** Returns an order as POST /orders/reprocess takes it. */
export const corrected = (orderId: string): object => ({
  order_id: orderId,
  user_id: 'user_corrected',
  order_timestamp: '2026-11-23T10:00:00Z',
  order_value: 10,
  items: [{ product_id: 'P1', quantity: 2, price_per_unit: 5 }],
  shipping_address: '12 Main St',
  payment_method: 'PayPal',
})
