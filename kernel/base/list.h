// Intrusive doubly linked list: the link lives in the element, so adding never allocates
// and an element can be removed knowing only itself. An element is in at most one list per
// link member. Not locked: the owner of the list locks. But one that adds and removes may do
// so beside those who walk it with for (T& x : list) under RCU (kernel/sched/rcu.h).
#pragma once
#include <atomic>

#include "kernel/base/log.h"

struct ListLink {
    ListLink* prev = nullptr;
    ListLink* next = nullptr;
    bool linked() const { return next != nullptr; }
};

template <typename T, ListLink T::* kLink>
class List {
  public:
    List() { head_.prev = head_.next = &head_; }
    List(List&&) = delete;  // nor a copy: the ends point at head_

    bool empty() const { return head_.next == &head_; }
    T* front() { return item_at(head_.next); }
    T* back() { return item_at(head_.prev); }
    void push_back(T* item) { insert_between(item, head_.prev, &head_); }
    void push_front(T* item) { insert_between(item, &head_, head_.next); }
    // Puts `item` right before `position`, which is in this list; nullptr: at the end.
    void insert_before(T* position, T* item) {
        ListLink* after = position != nullptr ? &(position->*kLink) : &head_;
        insert_between(item, after->prev, after);
    }
    // Puts it where it belongs in a list that is sorted by this member, behind its equals.
    template <typename Key>
    void insert_by(Key T::* key, T* item) {
        ListLink* before = head_.prev;
        while (before != &head_ && owner(before)->*key > item->*key) before = before->prev;
        insert_between(item, before, before->next);
    }
    T* next(T* item) { return item_at((item->*kLink).next); }
    T* prev(T* item) { return item_at((item->*kLink).prev); }
    T* pop_front() {
        T* item = front();
        if (item != nullptr) remove(item);
        return item;
    }
    static void remove(T* item) {
        remove_under_readers(item);
        (item->*kLink).next = nullptr;
    }
    // For lists that are walked under RCU: `item` still leads on who stands at it. It cannot
    // be added to a list again.
    static void remove_under_readers(T* item) {
        ListLink& link = item->*kLink;
        ASSERT(link.linked());
        std::atomic_ref(link.prev->next).store(link.next, std::memory_order_release);
        link.next->prev = link.prev;
        link.prev = nullptr;
    }

    // for (T& x : list): the body may not remove x; use front()/next() for that.
    class Iterator {
      public:
        explicit Iterator(ListLink* link) : link_(link) {}
        T& operator*() const { return *owner(link_); }
        Iterator& operator++() {
            link_ = std::atomic_ref(link_->next).load(std::memory_order_acquire);
            return *this;
        }
        bool operator!=(const Iterator& other) const { return link_ != other.link_; }

      private:
        ListLink* link_;
    };
    Iterator begin() { return ++Iterator(&head_); }
    Iterator end() { return Iterator(&head_); }

  private:
    static T* owner(ListLink* link) {
        auto offset = reinterpret_cast<size_t>(&(static_cast<T*>(nullptr)->*kLink));
        return reinterpret_cast<T*>(reinterpret_cast<char*>(link) - offset);
    }
    T* item_at(ListLink* link) { return link == &head_ ? nullptr : owner(link); }
    void insert_between(T* item, ListLink* before, ListLink* after) {
        ListLink& link = item->*kLink;
        ASSERT(!link.linked());
        link.prev = before;
        link.next = after;
        std::atomic_ref(before->next).store(&link, std::memory_order_release);
        after->prev = &link;
    }

    ListLink head_;
};
