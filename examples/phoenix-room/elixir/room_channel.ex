defmodule MyAppWeb.RoomChannel do
  use MyAppWeb, :channel
  alias MyAppWeb.Presence

  # What a page may say of itself.
  @fields ~w(name color status)

  @impl true
  def join("rooms:" <> _name, params, socket) do
    send(self(), {:after_join, fields(params["me"])})
    {:ok, socket}
  end

  @impl true
  def handle_info({:after_join, me}, socket) do
    {:ok, _ref} = Presence.track(socket, socket.assigns.user_id, me)
    push(socket, "presence_state", Presence.list(socket))
    {:noreply, socket}
  end

  # room.update
  @impl true
  def handle_in("presence_update", %{"meta" => meta}, socket) do
    {:ok, ref} = Presence.update(socket, socket.assigns.user_id, &Map.merge(&1, fields(meta)))
    {:reply, {:ok, %{phx_ref: ref}}, socket}
  end

  # room.broadcast("wave", …)
  def handle_in("wave", _payload, socket) do
    broadcast_from!(socket, "wave", %{from: socket.assigns.user_id})
    {:reply, :ok, socket}
  end

  # A page can send anything: what is no map has no fields.
  defp fields(sent) when is_map(sent), do: Map.take(sent, @fields)
  defp fields(_sent), do: %{}
end
