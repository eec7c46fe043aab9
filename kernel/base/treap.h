// Intrusive ordered set: a treap, a binary tree that is sorted by key and a heap by random
// priority, which keeps it balanced on average without bookkeeping (Seidel and Aragon,
// "Randomized search trees", 1996).
//
// Like List, the link lives in the element, so nothing is allocated. Keys are unique and may
// be changed in place as long as the order of the elements stays the same. Not locked.
#pragma once
#include <cstdint>

template <typename T>
struct TreapLink {
    T* left = nullptr;
    T* right = nullptr;
    uint32_t priority = 0;
};

template <typename T, TreapLink<T> T::*kLink, auto kKey>
class Treap {
  public:
    void insert(T* item) {
        TreapLink<T>& link = item->*kLink;
        link.priority = next_priority();
        T** slot = &root_;
        while (*slot != nullptr && ((*slot)->*kLink).priority >= link.priority)
            slot = child_towards(*slot, item);
        // What was here goes below the item: split it by the item's key.
        T* rest = *slot;
        T** smaller = &link.left;
        T** greater = &link.right;
        while (rest != nullptr) {
            TreapLink<T>& below = rest->*kLink;
            if (rest->*kKey < item->*kKey) {
                *smaller = rest;
                smaller = &below.right;
                rest = below.right;
            } else {
                *greater = rest;
                greater = &below.left;
                rest = below.left;
            }
        }
        *smaller = *greater = nullptr;
        *slot = item;
    }

    // `item` is in this treap.
    void remove(T* item) {
        T** slot = &root_;
        while (*slot != item) slot = child_towards(*slot, item);
        T* left = (item->*kLink).left;
        T* right = (item->*kLink).right;
        while (left != nullptr && right != nullptr) {
            if ((left->*kLink).priority >= (right->*kLink).priority) {
                *slot = left;
                slot = &(left->*kLink).right;
                left = *slot;
            } else {
                *slot = right;
                slot = &(right->*kLink).left;
                right = *slot;
            }
        }
        *slot = left != nullptr ? left : right;
        item->*kLink = {};
    }

    // The lowest element for which after(element) is true, or nullptr. `after` is false for
    // all elements below some point and true for all from there on.
    template <typename Predicate>
    T* lowest(Predicate after) const {
        T* best = nullptr;
        for (T* item = root_; item != nullptr;) {
            if (after(*item)) {
                best = item;
                item = (item->*kLink).left;
            } else {
                item = (item->*kLink).right;
            }
        }
        return best;
    }

  private:
    T** child_towards(T* from, T* item) {
        TreapLink<T>& link = from->*kLink;
        return item->*kKey < from->*kKey ? &link.left : &link.right;
    }
    // Marsaglia's xorshift: the same shape in every run, which keeps icount runs identical.
    uint32_t next_priority() {
        seed_ ^= seed_ << 13;
        seed_ ^= seed_ >> 17;
        seed_ ^= seed_ << 5;
        return seed_;
    }

    T* root_ = nullptr;
    uint32_t seed_ = 0x9e3779b9;
};
