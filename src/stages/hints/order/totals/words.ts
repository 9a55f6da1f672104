/** Words in the name of what is added to a total. */
export const addedWords = wordIn(
  'tax taxes vat gst hst pst mwst iva duty duties shipping delivery freight postage handling fee fees surcharge surcharges tip tips gratuity service deposit insurance packaging wrap wrapping rounding adjustment donation toll excise levy',
)

/** Words in the name of what is deducted from a total. */
export const deductedWords = wordIn(
  'discount discounts coupon coupons voucher vouchers promo promotion rebate reduction credit credits gift giftcard points saving savings refund markdown allowance deduction loyalty prepaid paid',
)

/** Words in the name of a number that is not an amount. */
export const otherWords = wordIn(
  'id ids zone method earned age last year number count code type status level class name',
)

/** Words in the name of a rate. */
export const rateWords = wordIn('rate percent percentage pct')

/** Finds any of the words in a name in any of the usual spellings: `shipping_cost`, `shippingCost`. */
function wordIn(list: string): { test(name: string): boolean } {
  const words = new Set(list.split(' '))
  return {
    test: (name) => {
      const spaced = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
      return spaced.split(/[^a-z]+/).some((word) => words.has(word))
    },
  }
}
