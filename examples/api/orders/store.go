package orders

import (
	"sync"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// maxOrders bounds what the store keeps; beyond it, the oldest order is
// forgotten.
const maxOrders = 1000

// Order is one order, as the API shows it.
type Order struct {
	ID   int    `json:"id"`
	Item string `json:"item"`
}

// owner is who an order belongs to. A subject is unique within its issuer only
// (RFC 7519, Section 4.1.2), and a token that a client got for itself may have
// none.
type owner struct {
	issuer, subject, client string
}

func ownerOf(token *jwtbearer.Token) owner {
	o := owner{issuer: token.Issuer(), subject: token.Subject()}
	if o.subject == "" {
		o.client = token.ClientID()
	}
	return o
}

// store keeps orders in memory. The zero value is empty and ready; its methods
// may be called concurrently.
type store struct {
	mu     sync.Mutex // guards the fields below
	last   int
	orders []owned
}

type owned struct {
	owner owner
	order Order
}

// of returns the orders of o, oldest first; never nil, so that JSON shows [].
func (s *store) of(o owner) []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Order{}
	for _, each := range s.orders {
		if each.owner == o {
			found = append(found, each.order)
		}
	}
	return found
}

func (s *store) add(o owner, item string) Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	order := Order{ID: s.last, Item: item}
	s.orders = append(s.orders, owned{o, order})
	if len(s.orders) > maxOrders {
		s.orders = append(s.orders[:0], s.orders[1:]...)
	}
	return order
}
