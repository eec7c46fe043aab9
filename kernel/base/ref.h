// Ref: owns one reference of an object that counts them (ref(), unref()).
#pragma once
#include <utility>

template <typename T>
class Ref {
  public:
    explicit Ref(T* object = nullptr) : object_(object) {}
    Ref(Ref&& other) : object_(other.release()) {}
    Ref(const Ref& other) : object_(other.object_) {
        if (object_ != nullptr) object_->ref();
    }
    Ref& operator=(Ref other) {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() { reset(nullptr); }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    T* get() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    // Drops what it holds and takes over a reference of `object`.
    void reset(T* object) {
        T* old = std::exchange(object_, object);
        if (old != nullptr) old->unref();
    }
    [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }

  private:
    T* object_;
};

// One more reference of `object`.
template <typename T>
Ref<T> new_ref(T* object) {
    object->ref();
    return Ref<T>(object);
}
