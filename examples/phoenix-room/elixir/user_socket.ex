defmodule MyAppWeb.UserSocket do
  use Phoenix.Socket

  channel "rooms:*", MyAppWeb.RoomChannel

  # Everybody can send any userId: an application verifies a token here, with Phoenix.Token.verify/4.
  @impl true
  def connect(%{"userId" => user_id}, socket, _connect_info) when is_binary(user_id) do
    {:ok, assign(socket, :user_id, user_id)}
  end

  def connect(_params, _socket, _connect_info), do: :error

  @impl true
  def id(socket), do: "users:#{socket.assigns.user_id}"
end
