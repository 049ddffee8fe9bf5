#include "binding/mailbox.h"

namespace espalier::binding {

std::shared_ptr<Mailbox> Mailbox::open(Napi::Env env) {
  auto mailbox = std::make_shared<Mailbox>();
  mailbox->channel_ = Channel::New(env, "espalier", /*maxQueueSize=*/0, /*initialThreadCount=*/1);
  mailbox->channel_.Unref(env);
  return mailbox;
}

void Mailbox::post(Letter letter) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  auto carried = std::make_unique<Letter>(std::move(letter));
  // The call owns it from here on.
  if (channel_.NonBlockingCall(carried.get()) == napi_ok) static_cast<void>(carried.release());
}

void Mailbox::hold(Napi::Env env) {
  if (held_++ == 0) channel_.Ref(env);
}

void Mailbox::letGo(Napi::Env env) {
  if (--held_ == 0) channel_.Unref(env);
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  channel_.Abort();
}

// Nothing may be thrown out of a completion: a letter catches what it can name, this the rest (an environment
// that ends in the middle of one).
void Mailbox::deliver(Napi::Env env, Napi::Function, void*, Letter* letter) {
  const std::unique_ptr<Letter> carried(letter);
  if (static_cast<napi_env>(env) == nullptr) return;
  try {
    (*carried)(env);
  } catch (const Napi::Error&) {
    return;
  }
}

}  // namespace espalier::binding
